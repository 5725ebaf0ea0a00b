"""What is measured on one model: probes, distances to another model, sampled answers.

`probes` holds the questions of all probes, encoded once, and scores them. `distances` compares
predictions with those of the retrained model, and `sampling` draws answers. `agreement`
checks that scoring in batches equals plain forward passes.
"""
