/// What lies where an export is to go.

import Formats
import Models
import Platform
import Tokenizers

/// An export replaces an earlier one, and nothing else: a folder counts as an export when its card says so and it holds nothing but what
/// exports write.
public enum ExportTarget: Sendable {
    case free, earlierExport

    /// Whether a folder holds an export made by this program, and nothing else.
    public static func isExport(_ directory: String) -> Bool {
        guard let names = try? FileSystem.list(directory), !names.isEmpty else { return false }
        return names.allSatisfy { isWritten($0) && !FileSystem.isDirectory(Path.join(directory, $0)) } && hasCard(directory)
            && names.contains { $0.hasSuffix(".safetensors") || $0.hasSuffix(".gguf") } && names.count { $0.hasSuffix(".gguf") } <= 1
    }

    static func look(at directory: String) throws(ExportError) -> ExportTarget {
        guard FileSystem.exists(directory) else { return .free }
        guard FileSystem.isDirectory(directory), let names = try? FileSystem.list(directory) else { throw .folderInUse(path: directory) }
        if names.isEmpty { return .free }
        guard isExport(directory) else { throw .folderInUse(path: directory) }
        return .earlierExport
    }

    private static func isWritten(_ name: String) -> Bool {
        if ["config.json", "model.safetensors.index.json", ModelCard.fileName, "Modelfile"].contains(name) { return true }
        if ModelFolder.companionFiles.contains(name) || Tokenizer.fileNames.contains(name) { return true }
        return name.hasSuffix(".gguf") || (name.hasPrefix("model") && name.hasSuffix(".safetensors"))
    }

    private static func hasCard(_ directory: String) -> Bool {
        let path = Path.join(directory, ModelCard.fileName)
        guard let size = try? FileSystem.size(path), size < 1 << 20, let text = try? FileSystem.readText(path) else { return false }
        let lines = text.split(whereSeparator: \.isNewline)
        return lines.contains(Substring(ModelCard.mark)) && !lines.contains(Substring(ModelCard.trainingMark))
    }
}
