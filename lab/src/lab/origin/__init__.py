"""The synthetic web: any number of domains, files of any size, and every way a server can misbehave."""
