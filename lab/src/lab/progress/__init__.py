"""What a learner has done: one document, in one file of the user's data folder."""
