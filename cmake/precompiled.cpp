// Nothing: a target that compiles headers for others needs a source (TorquantPrecompile.cmake).
