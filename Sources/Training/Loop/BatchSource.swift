/// Where micro-batches come from. A batch depends on its place alone, so a resumed run gets the same ones.

import Datasets
import Formats

public protocol BatchSource: AnyObject {
    /// Micro-batches of one pass over the data.
    var batchesPerEpoch: Int { get }
    /// - Parameters:
    ///   - epoch: passes finished before.
    ///   - index: place within the pass, from 0.
    func batch(epoch: Int, index: Int) throws -> Batch
    /// What a checkpoint has to keep so that a resumed run finds this batch again; empty where its place says it all.
    func memory(before place: Int) -> JSONObject
    func restore(_ memory: JSONObject)
}

extension BatchSource {
    public func memory(before place: Int) -> JSONObject { [:] }
    public func restore(_ memory: JSONObject) {}
}

/// Batches of a stream. There are no passes that anybody could count, so the whole run is one.
final class StreamSource: BatchSource {
    let batches: StreamedBatches
    let batchesPerEpoch: Int

    /// - Parameter count: micro-batches of the run.
    init(_ batches: StreamedBatches, count: Int) {
        self.batches = batches
        batchesPerEpoch = max(1, count)
    }

    func batch(epoch: Int, index: Int) throws -> Batch { try batches.batch(index: epoch * batchesPerEpoch + index) }
    func memory(before place: Int) -> JSONObject { batches.memory(before: place) }
    func restore(_ memory: JSONObject) { batches.restore(memory) }
}
