"""`prov setup`: a machine becomes a head node. What is there is looked at, a pure plan says what is missing."""
