import Configuration
import Formats
import Models
import Platform
import Tensors

/// Where a job computes: what `device`, `use_cpu` and CUDA_VISIBLE_DEVICES ask for and the machine has.
public enum ComputeDevice {
    /// What `device` says.
    public enum Request: Equatable, Sendable {
        /// A card where one can be used, else the processor.
        case automatic
        case processor
        /// Among the cards that CUDA_VISIBLE_DEVICES leaves.
        case card(Int)

        /// "auto", "cpu", "cuda", "cuda:1"; nil for anything else.
        public init?(_ text: String) {
            switch text {
            case "", "auto": self = .automatic
            case "cpu": self = .processor
            case "cuda", "gpu": self = .card(0)
            default:
                guard text.hasPrefix("cuda:"), let ordinal = Int(text.dropFirst(5)), ordinal >= 0 else { return nil }
                self = .card(ordinal)
            }
        }
    }

    public struct Choice {
        public let backend: any Backend
        /// Why there is no card although one seems to be here.
        public let notice: String?
    }

    public static func request(_ configuration: Configuration) -> Request? {
        configuration[.useCpu] ? .processor : Request(configuration[.device])
    }

    /// - Parameter isTraining: precision is then what `bf16`, `fp16` and `pure_bf16` say; elsewhere `infer_dtype` has a word
    public static func choose(
        _ configuration: Configuration, products: CPUBackend.ProductKernels = .best, isTraining: Bool = false
    ) throws(CUDAError) -> Choice {
        let type = activationType(configuration, isTraining: isTraining)
        return try choose(
            request(configuration) ?? .automatic, threads: configuration[.threads], activationType: type,
            usesTF32: configuration[.tf32] ?? false, products: products)
    }

    public static func choose(
        _ request: Request, threads: Int = 0, activationType: DType = .bfloat16, usesTF32: Bool = false,
        products: CPUBackend.ProductKernels = .best
    ) throws(CUDAError) -> Choice {
        switch request {
        case .processor: return Choice(backend: CPUBackend(threadCount: threads, products: products), notice: nil)
        case .card(let ordinal):
            return Choice(
                backend: try CUDABackend(
                    libraries: CUDALibraries(search: LibrarySearch()), ordinal: ordinal, activationType: activationType, usesTF32: usesTF32),
                notice: nil)
        case .automatic:
            guard seemsToHaveCard else { return Choice(backend: CPUBackend(threadCount: threads, products: products), notice: nil) }
            do {
                return Choice(
                    backend: try CUDABackend(
                        libraries: CUDALibraries(search: LibrarySearch()), activationType: activationType, usesTF32: usesTF32),
                    notice: nil)
            } catch {
                return Choice(backend: CPUBackend(threadCount: threads, products: products), notice: "\(error) Computing on the processor.")
            }
        }
    }

    /// Whether the system shows a card to this process: device files of the driver, or of WSL.
    public static var seemsToHaveCard: Bool {
        ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"].contains(where: FileSystem.exists)
    }

    /// How activations are kept on a card.
    static func activationType(_ configuration: Configuration, isTraining: Bool) -> DType {
        if configuration[.bf16] || configuration[.pureBf16] { return .bfloat16 }
        if configuration[.fp16] { return .float16 }
        if isTraining { return .float32 }
        switch configuration[.inferDtype] {
        case "float32": return .float32
        case "float16": return .float16
        case "bfloat16": return .bfloat16
        default: return storedType(configuration[.modelNameOrPath] ?? "") == "float32" ? .float32 : .bfloat16
        }
    }

    /// What config.json says the weights are kept in.
    private static func storedType(_ directory: String) -> String? {
        guard let json = try? JSONValue.read(file: Path.join(directory, "config.json")) else { return nil }
        return (json["torch_dtype"] ?? json["dtype"])?.stringValue
    }
}
