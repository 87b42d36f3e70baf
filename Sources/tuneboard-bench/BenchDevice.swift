import Formats
import Generation
import Platform
import Tensors

/// Where a benchmark computes: `--device cpu`, `auto` or `cuda:0`.
enum BenchDevice {
    static func backend(_ device: String, threads: Int, activationType: DType, products: CPUBackend.ProductKernels = .best) throws -> any Backend {
        guard let request = ComputeDevice.Request(device) else {
            throw BenchError.unsuitable("--device \(device): expected cpu, auto or cuda:0")
        }
        return try ComputeDevice.choose(request, threads: threads, activationType: activationType, products: products).backend
    }

    /// What a card's memory was used for at most, and what crossed to and from it.
    static func facts(_ backend: any Backend) -> [(String, JSONValue)] {
        guard let card = backend as? CUDABackend else { return [] }
        let uses = card.memoryUses.filter { $0.peakBytes > 0 }.map { ($0.purpose.rawValue, JSONValue.integer($0.peakBytes)) }
        return [
            ("card_peak_bytes", .integer(card.memory.peakBytes)), ("card_peak_uses", .object(JSONObject(uses))),
            ("card_allocations", .integer(card.memory.missCount)), ("downloads", .integer(card.transfers.downloads)),
            ("uploads", .integer(card.transfers.uploads)), ("compiled_files", .integer(card.compiledFileCount)),
        ]
    }
}
