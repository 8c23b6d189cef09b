"""Has something changed? Alarms with a promise, intervals that hold at every look, and tests of drift: arrays in.

run_length (thresholds) · alarms (CUSUMs) · sequences (confidence sequences) · drift (KS, χ², PSI) · adaptive (ADWIN,
for changes of unknown size) · domain_classifier (can live rows be told from reference rows?)
"""
