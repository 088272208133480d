"""For all tests."""

import signal

# A shell's background job ignores Ctrl-C, and so would all that tests start, and send one to.
signal.signal(signal.SIGINT, signal.default_int_handler)
