"""A file a verb: add_arguments(parser), and run(args, terminal) that returns the exit code. Imported by __main__."""
