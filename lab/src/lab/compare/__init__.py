"""`lab compare`: the engines of a challenge on its live service, one after another, under the same load."""
