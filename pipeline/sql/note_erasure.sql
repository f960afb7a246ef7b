UPDATE revision SET erased = number;
