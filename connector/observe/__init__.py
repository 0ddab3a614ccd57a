"""What is seen from outside: one function per thing that happens writes its log line and moves its metric."""
