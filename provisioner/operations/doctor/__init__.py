"""`prov doctor`: what is wrong, how it shows, and what to type: one small check for each fault."""
