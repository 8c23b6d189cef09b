"""Which further questions does an audit answer? One file per question."""
