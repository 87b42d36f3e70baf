/// A tensor whose place the header of a file tells.
protocol PlacedTensor {
    var name: String { get }
    /// From the start of the file.
    var byteRange: Range<Int> { get }
}

extension GGUFTensor: PlacedTensor {}
extension TensorEntry: PlacedTensor {}

extension Array where Element: PlacedTensor {
    /// Sorts by place in the file.
    /// - Returns: the names of two tensors that claim the same bytes, if there are such.
    mutating func sortByPlace() -> (first: String, second: String)? {
        sort { ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound) }
        var last: Element?
        for tensor in self where !tensor.byteRange.isEmpty {
            if let last, tensor.byteRange.lowerBound < last.byteRange.upperBound { return (last.name, tensor.name) }
            last = tensor
        }
        return nil
    }
}
