"""The tables of a published snapshot, and where the file of a revision lies.

A snapshot is the compiled result of exactly one revision, right or with problems. It follows from the files alone:
which images exist is not in it. Rows of a file or of a node can be replaced without a look at the others, which
makes an edit cheap; what depends on several nodes (`problem` with the origin `conflict`) is derived from the rows.

    meta          version, revision, site (JSON, empty without a usable provisioner.yaml), what names are known
    file          the files of the site and their SHA-256
    node          a node's own part, and the key of the part that it shares with others
    shared        what many nodes have in common, once; its key is the hash of its content
    member        which files have an entry that names a node
    claim         what only one node may have: MACs, addresses, names in DNS; conflicts are rows too
    reference     the names of groups, networks, overlays and scripts that a node file refers to
    image_use     every place that names an image
    group_entry   the groups that can be used, by the hash of their definition
    problem       what is wrong, by what finds it out again
"""

from __future__ import annotations

from pathlib import Path

from provisioner import __version__
from provisioner.config.paths import Paths

# Another number here, or another version of the product: snapshots are compiled again.
VERSION = f"7 {__version__}"

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE file (path TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE node (name TEXT PRIMARY KEY, shared INTEGER NOT NULL, own TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX node_shared ON node (shared);
CREATE TABLE shared (id INTEGER PRIMARY KEY, json TEXT NOT NULL, provenance TEXT NOT NULL);
CREATE TABLE shared_group (shared INTEGER, name TEXT, PRIMARY KEY (shared, name)) WITHOUT ROWID;
CREATE INDEX group_shared ON shared_group (name);
CREATE TABLE shared_tag (shared INTEGER, key TEXT, value TEXT, PRIMARY KEY (shared, key)) WITHOUT ROWID;
CREATE INDEX tag_shared ON shared_tag (key, value);
CREATE TABLE member (node TEXT, file TEXT, PRIMARY KEY (node, file)) WITHOUT ROWID;
CREATE INDEX member_file ON member (file);
CREATE TABLE claim (
  node TEXT, position INTEGER, space TEXT NOT NULL, value TEXT NOT NULL, kind TEXT NOT NULL,
  interface TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL, "column" INTEGER NOT NULL,
  PRIMARY KEY (node, position)) WITHOUT ROWID;
CREATE INDEX claim_value ON claim (space, value);
CREATE TABLE reference (file TEXT, kind TEXT, name TEXT, PRIMARY KEY (file, kind, name)) WITHOUT ROWID;
CREATE TABLE image_use (
  reference TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL, "column" INTEGER NOT NULL);
CREATE TABLE group_entry (
  name TEXT PRIMARY KEY, file TEXT NOT NULL, line INTEGER NOT NULL, "column" INTEGER NOT NULL,
  digest TEXT NOT NULL, groups TEXT NOT NULL, image TEXT) WITHOUT ROWID;
CREATE TABLE problem (
  origin TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL, "column" INTEGER NOT NULL,
  message TEXT NOT NULL, hint TEXT NOT NULL);
"""


def snapshot_path(paths: Paths, revision: str) -> Path:
    """The file that the snapshot of a revision has, or would have."""
    # A name from elsewhere must not become a path.
    return paths.snapshots / f"{revision if revision.isalnum() else 'invalid'}.sqlite"
