"""What httpbin promises, operation by operation, and the code that holds it to that."""
