"""What a process needs of its machine: leases, signals, workers, native code that may die, Slurm."""
