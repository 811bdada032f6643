"""The importer of Warewulf 4 sites: nodes.conf and warewulf.conf to site files, and a report of the rest."""
