"""`prov capture`: the packets of one machine's boot, kept, masked and explained."""
