import Configuration
import Platform
import Runs
import Terminal

extension BoardState {
    /// Looks into the folder first: what is there already is replaced only when somebody says so.
    mutating func requestExport() -> [Effect] {
        checkExport(forms[.export].configuration, isQueued: false)
    }

    /// One question at a time: a key that is held down asks nothing more.
    mutating func checkExport(_ configuration: Configuration, isQueued: Bool) -> [Effect] {
        guard askedExport == nil else { return [] }
        askedExport = (configuration, isQueued)
        return [.checkExportTarget(path: configuration.text("export_dir"))]
    }

    mutating func exportTargetChecked(_ path: String, fileCount: Int, _ neighbours: [String]) -> [Effect] {
        if let effects = queuedExportChecked(path, fileCount: fileCount) { return effects }
        guard let asked = askedExport else { return [] }
        askedExport = nil
        if !asked.isQueued, startRefusal() != nil { return [] }
        if fileCount > 0 { return askAboutExport(asked.configuration, fileCount, neighbours, isQueued: asked.isQueued) }
        return asked.isQueued ? enqueue(.export, asked.configuration) : start(.export)
    }

    /// A new folder beside it is the careful answer, as for a training.
    private mutating func askAboutExport(_ configuration: Configuration, _ fileCount: Int, _ neighbours: [String], isQueued: Bool) -> [Effect] {
        let path = configuration.text("export_dir")
        let way = Takeover.elsewhere(EarlierRun.freeFolder(beside: path, neighbours: neighbours) { isTaken($0) })
        var sentences = [
            say("\(path) holds \(fileCount) files. An earlier export there is replaced once the new one is verified; a folder with anything else is refused and left alone.")
        ]
        if case .elsewhere(let folder) = way { sentences.append(say("The new folder would be \(Path.name(folder)).")) }
        // The question may come in the midst of a word, whose letters must not answer it.
        let key: Character = takesText ? "\0" : Takeover.replace.key
        return ask(
            DialogState(
                title: say("\(Path.name(path)) is not empty"), text: sentences.joined(separator: Wording.current.language.sentenceSpace),
                choices: [
                    .init(way.label, key: way.key, .takeOver(.export, configuration, way, isQueued: isQueued)),
                    .init(Takeover.replace.label, key: key, .takeOver(.export, configuration, .replace, isQueued: isQueued)),
                    .init(say("Cancel"), key: "c", .dismiss),
                ]))
    }
}
