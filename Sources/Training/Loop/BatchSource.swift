/// Where micro-batches come from. A batch depends on its place alone, so a resumed run gets the same ones.

import Datasets

public protocol BatchSource: AnyObject {
    /// Micro-batches of one pass over the data.
    var batchesPerEpoch: Int { get }
    /// - Parameters:
    ///   - epoch: passes finished before.
    ///   - index: place within the pass, from 0.
    func batch(epoch: Int, index: Int) throws -> Batch
}
