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
        var rows = Int32(matrix.rowCount), columns = Int32(matrix.columnCount), smaller = min(rows, columns)
        guard smaller > 0 else { return nil }
        // LAPACK reads columns first, so it sees the transpose: its left vectors are this matrix's right ones.
        var values = [Float](repeating: 0, count: Int(smaller))
        let copy = matrix.converted(to: .float32)
        let left = Tensor.zeros([Int(rows), Int(smaller)]), right = Tensor.zeros([Int(smaller), Int(columns)])
        var integers = [Int32](repeating: 0, count: 8 * Int(smaller))
        var information: Int32 = 0
        func decompose(_ work: inout [Float], _ count: Int32) {
            var count = count
            sgesdd_(
                "S", &columns, &rows, copy.floatPointer, &columns, &values, right.floatPointer, &columns, left.floatPointer, &smaller,
                &work, &count, &integers, &information)
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
    }
}
