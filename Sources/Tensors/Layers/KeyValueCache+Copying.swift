import Glibc

extension KeyValueCache {
    /// Takes over what a cache of the same model and capacity holds, as beams do when one beam goes on in two ways.
    public func copyContents(of other: KeyValueCache) {
        precondition(other.capacity == capacity && other.layerCount == layerCount && other.dtype == dtype, "caches of one shape")
        truncate(to: 0)
        defer { advance(by: other.length) }
        if let pages, let others = other.pages { return pages.copyContents(of: others, tokens: other.length) }
        let headBytes = capacity * headDimension * dtype.byteCount
        let filledBytes = other.length * headDimension * dtype.byteCount
        for layer in 0..<layerCount {
            for head in 0..<keyValueHeadCount {
                memcpy(keys(layer: layer).address + head * headBytes, other.keys(layer: layer).address + head * headBytes, filledBytes)
                memcpy(values(layer: layer).address + head * headBytes, other.values(layer: layer).address + head * headBytes, filledBytes)
            }
        }
    }
}
