"""Where and in what order are recipes trained? Jobs, executors and processes."""
