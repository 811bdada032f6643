"""Packages and trees in the shape of Enterprise Linux, made of Debian's programs: no registry is needed.

They are real RPMs in real repositories, installed by the real dnf, with the names, layout, users and databases of
the distributions they stand for, and they boot. They do not prove Enterprise Linux's own kernels, systemd or
SELinux, so tests that use them say "el-shaped".
"""
