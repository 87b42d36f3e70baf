/// The machine's speed at plain matrix products: what a training step can at most reach.

import COpenBLAS
import Platform

enum ProductLimit {
    /// GFLOP/s of OpenBLAS's sgemm at a product of a model's size, the best of several.
    static func measure(threads: Int) -> Double {
        let (rows, columns, inner) = (1024, 2048, 768)
        let a = [Float](repeating: 0.5, count: rows * inner)
        let b = [Float](repeating: 0.25, count: columns * inner)
        var c = [Float](repeating: 0, count: rows * columns)
        openblas_set_num_threads(Int32(threads))
        defer { openblas_set_num_threads(1) }
        var best = Double.infinity
        for _ in 0..<12 {
            let start = Clock.monotonicSeconds()
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasTrans, blasint(rows), blasint(columns), blasint(inner), 1, a, blasint(inner), b,
                blasint(inner), 0, &c, blasint(columns))
            best = min(best, Clock.monotonicSeconds() - start)
        }
        return 2 * Double(rows * columns * inner) / best / 1e9
    }
}
