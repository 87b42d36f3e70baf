import Platform

/// Why a card cannot be used, or why work on it ended.
public enum CUDAError: Error, Sendable, Equatable {
    /// A library that is needed was not found, or lacks a function.
    case missingLibrary(CUDALibrary, reason: String)
    case noDevice(reason: String)
    /// `cuda:3` where there are two cards.
    case noSuchDevice(ordinal: Int, count: Int)
    /// The card is older than what the kernels are written for.
    case tooOld(device: String, architecture: Int, needed: Int)
    /// The run-time compiler refused a kernel file.
    case notCompiled(file: String, architecture: Int, log: String)
    /// The driver refused a compiled file: it is usually older than the compiler.
    case notLoaded(file: String, driver: String, compiler: String, reason: String)
    /// The card has no memory left.
    case outOfMemory(requested: Int, free: Int, total: Int, ownBytes: Int, peakBytes: Int, uses: [String])
    /// A call failed: what was asked for, and what the library answered.
    case failed(call: String, reason: String)
    /// The card stopped in the middle of work; nothing on it can be used any more.
    case lost(call: String, reason: String)
    /// What this back end does not compute.
    case unsupported(String)
}

/// The libraries of NVIDIA's that the program looks for when it runs.
public enum CUDALibrary: String, Sendable, CaseIterable {
    case driver, compiler, products, management

    /// For people.
    public var title: String {
        switch self {
        case .driver: "the driver (libcuda)"
        case .compiler: "the run-time compiler (libnvrtc)"
        case .products: "cuBLASLt (libcublasLt)"
        case .management: "the management library (libnvidia-ml)"
        }
    }
}

extension CUDAError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missingLibrary(let library, let reason):
            let cure =
                switch library {
                case .driver, .management: "Install NVIDIA's driver"
                case .compiler, .products:
                    "Install CUDA 11.8 or newer, or `pip install nvidia-cuda-nvrtc-cu12 nvidia-cublas-cu12`, or name its folder in LD_LIBRARY_PATH"
                }
            return "The GPU cannot be used without \(library.title): \(reason). \(cure), or compute on the processor with device: cpu."
        case .noDevice(let reason):
            return "The driver offers no GPU: \(reason). Look at nvidia-smi and CUDA_VISIBLE_DEVICES, or use device: cpu."
        case .noSuchDevice(let ordinal, let count):
            return "There is no cuda:\(ordinal); the driver offers \(count == 1 ? "one GPU, cuda:0" : "\(count) GPUs, cuda:0 to cuda:\(count - 1)")."
        case .tooOld(let device, let architecture, let needed):
            return "\(device) has compute capability \(Self.capability(architecture)); the kernels need \(Self.capability(needed)) or newer. Use device: cpu."
        case .notCompiled(let file, let architecture, let log):
            return "NVRTC could not compile \(file) for sm_\(architecture): \(log)"
        case .notLoaded(let file, let driver, let compiler, let reason):
            return "The driver (CUDA \(driver)) refused \(file), compiled by NVRTC \(compiler): \(reason). "
                + "A driver must be at least as new as the compiler: update it, or install an older libnvrtc."
        case .outOfMemory(let requested, let free, let total, let own, let peak, let uses):
            let others = max(0, total - free - own)
            return "The GPU's memory is full: \(NumberText.bytes(Int64(requested))) more were wanted, \(NumberText.bytes(Int64(free))) of "
                + "\(NumberText.bytes(Int64(total))) are free. This program holds \(NumberText.bytes(Int64(own)))"
                + (uses.isEmpty ? "" : " (\(uses.joined(separator: ", ")))")
                + (others > total / 50 ? ", other processes about \(NumberText.bytes(Int64(others)))" : "")
                + "; the most it used was \(NumberText.bytes(Int64(peak))). Use a smaller per_device_train_batch_size or cutoff_len, keep "
                + "gradient checkpointing on, or quantise the base with quantization_bit: 4."
        case .failed(let call, let reason):
            return "The GPU refused \(call): \(reason)."
        case .lost(let call, let reason):
            return "The GPU stopped working (\(call): \(reason)). The run ends here; its last checkpoint is whole: start again with "
                + "resume_from_checkpoint. `dmesg | grep Xid` says more."
        case .unsupported(let what):
            return "The GPU back end does not compute \(what) yet; use device: cpu."
        }
    }

    private static func capability(_ architecture: Int) -> String { "\(architecture / 10).\(architecture % 10)" }
}
