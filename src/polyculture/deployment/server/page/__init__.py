"""What does the server show to people? One page at `/`, which draws what `GET /status` says."""
