"""A journal in memory: the same contract as a file's, for as long as the process lives."""
