"""The graph of a pipe: nodes read from functions, routing by type, compile to an `ExecutionPlan`. No I/O, no clock."""
