import Formats
import Platform
import Tensors

/// A PEFT adapter folder: `adapter_config.json` and `adapter_model.safetensors`, in both directions; `adapter_model.bin` is read.
public enum AdapterFile {
    public static let configurationName = "adapter_config.json"
    public static let weightsName = "adapter_model.safetensors"

    /// Whether a folder looks like an adapter.
    public static func isAdapter(_ directory: String) -> Bool { FileSystem.exists(Path.join(directory, configurationName)) }

    /// Reads the configuration only.
    public static func configuration(_ directory: String) throws(ModelError) -> AdapterConfiguration {
        let file = Path.join(directory, configurationName)
        guard FileSystem.exists(file) else {
            throw .unreadable(reason: "\(directory): this is not an adapter folder, there is no \(configurationName) in it.")
        }
        return try AdapterConfiguration(try ModelFolder.object(file), file: file)
    }

    /// Puts a saved adapter on the model, in the place of any that it carries. Every tensor is checked first; one that does not fit
    /// leaves the base alone.
    /// - Parameter isTrainable: whether what the adapter brings goes on being trained; the base is frozen either way.
    @discardableResult
    public static func load(_ directory: String, into model: Transformer, isTrainable: Bool = false) throws(ModelError) -> AdapterConfiguration {
        guard !model.usesFileLayout else {
            throw .cannotWrite(reason: "\(model.directory): the model was opened to be used as it lies in its file; open it again for \(directory).")
        }
        let configuration = try configuration(directory)
        if isTrainable { try checkTrainable(configuration, directory) }
        let path = weightsPath(directory)
        // Weights of another adapter would be taken for the base's.
        model.removeAdapter()
        let parts: AdapterParts
        do {
            parts = try AdapterParts(try tensors(path), file: path, model: model, configuration: configuration)
            model.put(parts, configuration, isTrainable: isTrainable)
            if case .principal(let iterations) = configuration.start {
                try model.splitPrincipalComponents(iterations: iterations, keepsAdapter: true)
            }
        } catch {
            model.removeAdapter()
            throw error
        }
        model.adapterNotes = parts.notes + otherBase(configuration, model, directory)
        return configuration
    }

    /// LLaMA-Factory's `adapter_name_or_path: a,b,c`: each is merged into the base before the next is put on. The last is left on
    /// the model as its adapter, so that it can be trained further or switched off, unless `mergesAll`.
    public static func load(
        _ directories: [String], into model: Transformer, isTrainable: Bool = false, mergesAll: Bool = false
    ) throws(ModelError) {
        if model.isQuantized, directories.count > 1 || mergesAll, let first = directories.first {
            throw .unsupported(
                file: first, what: "merging an adapter into a quantised base",
                whatToDo: "Give one adapter, which then works beside the base, or use the unquantised model.")
        }
        var notes: [String] = []
        for (index, directory) in directories.enumerated() {
            let isLast = index == directories.count - 1
            try load(directory, into: model, isTrainable: isTrainable && isLast && !mergesAll)
            notes += model.adapterNotes
            if !isLast || mergesAll { try model.mergeAdapter() }
        }
        model.adapterNotes = notes
    }

    /// Writes the model's adapter as PEFT would. The folder is made; each file appears whole or not at all.
    public static func save(_ model: Transformer, to directory: String) throws(ModelError) {
        try write(model.adapterTensors, model.adapterConfiguration, to: directory)
    }

    static func write(
        _ tensors: [(name: String, tensor: Tensor)], _ configuration: AdapterConfiguration?, to directory: String
    ) throws(ModelError) {
        guard let configuration, !tensors.isEmpty else {
            throw .cannotWrite(reason: "\(directory): there is no adapter on the model to save.")
        }
        do {
            try FileSystem.createDirectory(directory)
            try TensorFile.write(Path.join(directory, weightsName), tensors: tensors.sorted { $0.name < $1.name })
            try FileSystem.writeAtomically(Path.join(directory, configurationName), text: configuration.text())
        } catch {
            throw .cannotWrite(reason: String(describing: error))
        }
    }

    /// The file with the weights: PEFT wrote `adapter_model.bin` before it wrote safetensors.
    static func weightsPath(_ directory: String) -> String {
        let path = Path.join(directory, weightsName), pickled = Path.join(directory, "adapter_model.bin")
        return FileSystem.exists(path) || !FileSystem.exists(pickled) ? path : pickled
    }

    /// Every tensor of an adapter's file, as stored and in memory of its own.
    static func tensors(_ path: String) throws(ModelError) -> [(name: String, tensor: Tensor)] {
        guard path.hasSuffix(".bin") else {
            let found = try TensorFile.read(path)
            guard let strange = found.first(where: { !$0.tensor.dtype.isFloatingPoint }) else { return found }
            throw .unsupportedType(file: path, tensor: strange.name, found: "\(strange.tensor.dtype)")
        }
        var found: [(name: String, tensor: Tensor)] = []
        for location in try CheckpointFiles.pickle.locations(path) {
            guard let type = DType(location.entry.dtype), type.isFloatingPoint else {
                throw .unsupportedType(file: path, tensor: location.entry.name, found: location.entry.dtype.rawValue)
            }
            let copy = Tensor.zeros(location.entry.shape, type)
            if let from = location.bytes.baseAddress { copy.address.copyMemory(from: from, byteCount: min(copy.byteCount, location.bytes.count)) }
            found.append((location.entry.name, copy))
        }
        return found
    }

    private static func checkTrainable(_ configuration: AdapterConfiguration, _ directory: String) throws(ModelError) {
        let file = Path.join(directory, configurationName)
        if !configuration.tokenRows.isEmpty {
            throw .unsupported(
                file: file, what: "training on with \"trainable_token_indices\"", whatToDo: "Export the merged model and start a new adapter on it.")
        }
        if case .rotation(let settings) = configuration.method, settings.limit != nil {
            throw .unsupported(
                file: file, what: "training on with \"coft\": true", whatToDo: "Export the merged model and start a new adapter on it.")
        }
    }

    /// The shapes of two models of a size are alike, so the name is all that can tell an adapter of another base.
    private static func otherBase(_ configuration: AdapterConfiguration, _ model: Transformer, _ directory: String) -> [String] {
        func name(_ path: String) -> String {
            // The Hugging Face cache names folders by revision: .../models--Qwen--Qwen2.5-0.5B/snapshots/060db64...
            let parts = path.split(separator: "/").map(String.init)
            if let place = parts.firstIndex(of: "snapshots"), place > 0 { return lastOfRepository(parts[place - 1]).lowercased() }
            return (parts.last ?? "").lowercased()
        }
        let wanted = name(configuration.baseModel), found = name(model.directory)
        guard !wanted.isEmpty, !found.isEmpty, wanted != found else { return [] }
        return [
            "The adapter \(directory) says that it was made for \(configuration.baseModel); it is put on \(model.directory). "
                + "If that is another model, its answers will be wrong."
        ]
    }

    /// `models--Qwen--Qwen2.5-0.5B` is `Qwen2.5-0.5B`.
    private static func lastOfRepository(_ folder: String) -> String {
        var rest = Substring(folder)
        while let place = rest.indices.first(where: { rest[$0...].hasPrefix("--") }) { rest = rest[place...].dropFirst(2) }
        return String(rest)
    }
}
