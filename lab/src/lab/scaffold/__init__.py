"""`lab new`: a challenge in miniature, whose engines and checks already judge each other, to make your own of."""
