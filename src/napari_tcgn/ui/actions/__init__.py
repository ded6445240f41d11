"""What a person sets off in a session: a run, a comparison, scores of gene sets, two maps side by side, a grid moved by hand."""
