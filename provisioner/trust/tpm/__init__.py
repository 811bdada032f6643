"""TPM 2.0: keys that never leave a machine, and what they sign. Pure: bytes in, values out.

The sources are the parts of the *Trusted Platform Module Library Specification*, family 2.0, by the Trusted
Computing Group: part 1 architecture, part 2 structures, part 3 commands.
"""
