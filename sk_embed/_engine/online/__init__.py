"""The model of a stream: additive model, trunk and tables, learned chunk by chunk."""
