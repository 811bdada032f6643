"""The vocabulary: frozen values and pure rules. Nothing here touches a file, a socket or the machine."""
