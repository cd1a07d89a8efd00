"""The command line: train, publish, shift and watch late-payer models, and run the whole stack on one machine."""
