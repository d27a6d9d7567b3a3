"""Types of the arrays that are handed around."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
UInt64s = NDArray[np.uint64]
SmallInts = NDArray[np.int8]
Int32s = NDArray[np.int32]
UInt32s = NDArray[np.uint32]
