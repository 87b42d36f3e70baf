import COpenBLAS

/// The thin singular value decomposition of a matrix: matrix = left · diag(values) · right.
public struct SingularValues {
    /// [rows, n] with n the smaller side; orthonormal columns.
    public let left: Tensor
    /// n values, falling.
    public let values: [Float]
    /// [n, columns]; orthonormal rows.
    public let right: Tensor

    /// - Parameter matrix: [rows, columns], f32, on the host; left as it is.
    /// - Returns: nil where LAPACK finds no decomposition, as for a matrix that holds something that is not a number.
    public init?(of matrix: Tensor) {
        let height = matrix.rowCount, width = matrix.columnCount, smaller = min(height, width)
        guard smaller > 0 else { return nil }
        // LAPACK reads columns first, so it sees the transpose: its left vectors are this matrix's right ones.
        let copy = matrix.converted(to: .float32)
        let left = Tensor.zeros([height, smaller]), right = Tensor.zeros([smaller, width])
        var values = [Float](repeating: 0, count: smaller), integers = [Int32](repeating: 0, count: 8 * smaller)
        var rows = Int32(height), columns = Int32(width), rank = Int32(smaller), information: Int32 = 0
        func decompose(_ work: inout [Float], _ count: Int32) {
            var count = count
            sgesdd_(
                "S", &columns, &rows, copy.floatPointer, &columns, &values, right.floatPointer, &columns, left.floatPointer, &rank, &work,
                &count, &integers, &information)
        }
        var wanted: [Float] = [0]
        decompose(&wanted, -1)
        // The count comes back as f32, which rounds large numbers down.
        let count = Int32(min(Double(Int32.max), Double(wanted[0]) * 1.001 + 64))
        var work = [Float](repeating: 0, count: Int(count))
        decompose(&work, count)
        guard information == 0 else { return nil }
        self.left = left
        self.values = values
        self.right = right
        settleSigns()
    }

    /// A pair of vectors may change its sign together. The largest element of each left vector is made positive, so that every
    /// machine's decomposition is the same.
    private func settleSigns() {
        let u = left.floatPointer, v = right.floatPointer, rank = values.count, width = right.columnCount
        for index in 0..<rank {
            var largest: Float = 0
            for row in 0..<left.rowCount where abs(u[row * rank + index]) > abs(largest) { largest = u[row * rank + index] }
            guard largest < 0 else { continue }
            for row in 0..<left.rowCount { u[row * rank + index].negate() }
            for column in 0..<width { v[index * width + column].negate() }
        }
    }
}
