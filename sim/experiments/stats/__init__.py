"""What many runs say together: intervals, warm-up, precision, rankings. Plain numbers in, plain numbers out."""
