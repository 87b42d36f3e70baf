/// Arithmetic with shapes that come from files.
public enum TensorShape {
    /// Elements of a shape; nil for a negative axis, and for sizes that cannot be multiplied in every order, even where one of them is
    /// zero: [0, 2^62, 2^62] has no elements, but whoever leaves out the first axis would count beyond every number.
    public static func elementCount(_ shape: [Int]) -> Int? { byteCount(shape, width: 1) }

    /// Bytes of a shape of elements of `width` bytes; nil as above.
    public static func byteCount(_ shape: [Int], width: Int) -> Int? {
        var count = width
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: max(1, size))
            if overflow || size < 0 { return nil }
            count = product
        }
        return shape.contains(0) ? 0 : count
    }
}
