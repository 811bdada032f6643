"""`prov support`: what others need to see when they help, in one archive, without secrets."""
