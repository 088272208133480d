"""What the shell of every service needs and no challenge teaches: ports, streams, metrics, the HTTP face."""
