import Configuration
import Platform
import Terminal

/// One line of a picker.
public struct PickerItem: Sendable, Equatable {
    /// What the argument becomes.
    public var value: String
    public var title: String
    /// Shown at the right: size, rows, age.
    public var detail: String
    /// Why it cannot be taken, or nil.
    public var problem: String?
    /// True for the line that takes what was typed.
    public var isTyped = false
    /// The prompt template that goes with a model.
    public var template: String?
    /// The characters of the title that the filter matched.
    public var matches: [Int] = []

    init(_ value: String, title: String? = nil, detail: String = "", problem: String? = nil) {
        self.value = value
        self.title = title ?? value
        self.detail = detail
        self.problem = problem
    }
}

extension PickerState.Kind {
    /// The picker that suits an argument; nil for arguments that are typed.
    init?(argument: Argument) {
        switch argument.name {
        case "model_name_or_path", "ref_model", "reward_model": self = .models
        case "adapter_name_or_path", "ref_model_adapters", "reward_model_adapters": self = .adapters
        case "dataset", "eval_dataset", "export_quantization_dataset": self = .datasets
        case "output_dir", "export_dir": self = .outputDirectories
        case "resume_from_checkpoint": self = .checkpoints
        case "template": self = .templates
        default:
            guard !argument.choices.isEmpty else { return nil }
            self = .choices(argument.kind == .choice ? argument.cycle : argument.choices)
        }
    }
}

extension BoardState {
    /// The lines of a picker that pass its filter, best first.
    public func items(of picker: PickerState) -> [PickerItem] {
        let all = unfilteredItems(of: picker)
        let query = picker.filter.text.trimmingSpaces
        guard !query.isEmpty else { return all }
        let matcher = FuzzyMatcher(pattern: query)
        var found = all.enumerated().compactMap { index, item -> (score: Int, index: Int, item: PickerItem)? in
            guard let match = matcher.match(item.title) else { return nil }
            var item = item
            item.matches = match.positions
            return (match.score, index, item)
        }
        found.sort { ($1.score, $0.index) < ($0.score, $1.index) }
        var items = found.map(\.item)
        if takesTyped(picker), !all.contains(where: { $0.value == query }) {
            var typed = PickerItem(query, title: say("use “\(query)”"))
            typed.isTyped = true
            items.append(typed)
        }
        return items
    }

    private func takesTyped(_ picker: PickerState) -> Bool {
        switch picker.kind {
        case .models, .adapters, .recipes, .outputDirectories, .checkpoints, .datasets, .templates: true
        case .overlayRun, .conversations, .history, .themes: false
        case .choices: ArgumentTable.argument(named: picker.argument)?.kind != .choice
        }
    }

    private func unfilteredItems(of picker: PickerState) -> [PickerItem] {
        switch picker.kind {
        case .models: modelItems
        case .datasets: catalog.datasets.map(item)
        case .adapters: [PickerItem("", title: say("none"))] + catalog.adapters.filter { $0.rank != nil }.map(item)
        case .checkpoints: [PickerItem("", title: say("none"))] + catalog.adapters.filter { $0.step != nil }.map(item)
        case .recipes: catalog.recipes.map { PickerItem($0.path, detail: $0.summary) } + configurationsOfRuns
        case .outputDirectories: outputDirectories(picker)
        case .themes(let names): names.map { PickerItem($0, detail: $0 == themeName ? say("in use") : "") }
        case .conversations(let stored):
            stored.map { PickerItem($0.path, title: $0.title, detail: Age.text(since: $0.modified, now: now)) }
        case .choices(let choices): choices.map { PickerItem($0, title: $0.isEmpty ? say("not set") : $0) }
        case .templates: [PickerItem("", title: say("the model's own chat template"))] + catalog.templates.map { PickerItem($0) }
        case .history: history.values(of: picker.argument).map { PickerItem($0, title: $0.isEmpty ? say("not set") : $0) }
        case .overlayRun:
            catalog.runs.filter { $0.kind == .train && $0.lastLoss != nil && $0.directory != monitoredRun?.directory }.map(item)
        }
    }

    func item(_ model: ModelEntry) -> PickerItem {
        var parts: [String] = []
        if !model.architecture.isEmpty { parts.append(model.architecture) }
        if model.parameterCount > 0 { parts.append(NumberText.count(model.parameterCount)) }
        if model.bytes > 0 { parts.append(NumberText.bytes(model.bytes)) }
        return PickerItem(model.path, detail: parts.joined(separator: "  "), problem: model.problem)
    }

    private func item(_ dataset: DatasetEntry) -> PickerItem {
        var parts = [dataset.format]
        if let rows = dataset.rowCount { parts.append(say("\(NumberText.grouped(rows)) rows")) }
        return PickerItem(dataset.name, detail: parts.filter { !$0.isEmpty }.joined(separator: "  "), problem: dataset.problem)
    }

    private func item(_ adapter: AdapterEntry) -> PickerItem {
        var parts: [String] = []
        if !adapter.baseModel.isEmpty { parts.append(Path.name(adapter.baseModel)) }
        if let rank = adapter.rank { parts.append("r=\(rank)") }
        if let step = adapter.step { parts.append(say("step \(step)")) }
        if let loss = adapter.evaluationLoss {
            parts.append(say("eval \(NumberText.fixed(loss, digits: 3))"))
        } else if let loss = adapter.loss {
            parts.append(say("loss \(NumberText.fixed(loss, digits: 3))"))
        }
        if adapter.modified > 0 { parts.append(Age.text(since: adapter.modified, now: now)) }
        return PickerItem(adapter.path, detail: parts.joined(separator: "  "))
    }

    private func item(_ run: RunEntry) -> PickerItem {
        let isDrawn = overlayRuns.contains { $0.directory == run.directory }
        let loss = run.lastLoss.map { "loss " + NumberText.fixed($0, digits: 4) } ?? ""
        return PickerItem(run.directory, detail: isDrawn ? say("drawn, ⏎ takes it away") : loss)
    }

    private var configurationsOfRuns: [PickerItem] {
        catalog.runs.compactMap { run in
            run.configurationPath.map { PickerItem($0, detail: Age.text(since: run.modified, now: now)) }
        }
    }

    /// Folders that exports made, each once, without the one that the model to be exported lies in.
    private func earlierExports(besides source: String) -> [String] {
        func folder(_ path: String) -> String { path.hasSuffix(".gguf") ? Path.directory(path) : path }
        var seen: Set<String> = []
        return catalog.models.filter(\.isExport).map { folder($0.path) }.filter { seen.insert($0).inserted && !RunName.isSame($0, folder(source)) }
    }

    /// Folders of earlier runs, and a fresh name after the model and method of the form.
    private func outputDirectories(_ picker: PickerState) -> [PickerItem] {
        let configuration = forms[picker.tab].configuration
        let model = Path.name(configuration.text("model_name_or_path"))
        var items: [PickerItem] = []
        if !model.isEmpty {
            let isExport = picker.argument == "export_dir"
            let base = isExport ? ResultFolder.export(of: configuration) : "saves/\(model)/\(configuration.text("finetuning_type"))/\(configuration.text("stage"))"
            // A GGUF model is known by its file, its export by the folder.
            let models = catalog.models.map { $0.path.hasSuffix(".gguf") ? Path.directory($0.path) : $0.path }
            let taken = Set(catalog.runs.map(\.directory) + models)
            let fresh = ([base] + (2...999).map { "\(base)-\($0)" }).first { !taken.contains($0) } ?? base
            items.append(PickerItem(fresh, detail: say("new")))
            if isExport { return items + earlierExports(besides: configuration.text("model_name_or_path")).map { PickerItem($0, detail: say("exists")) } }
        }
        return items + catalog.runs.filter { $0.directory != items.first?.value }.map {
            PickerItem($0.directory, detail: "\(say(key: $0.state.word))  \(Age.text(since: $0.modified, now: now))")
        }
    }
}

/// How long ago something was, in few characters.
enum Age {
    static func text(since time: Double, now: Double) -> String {
        guard time > 0, now > 0 else { return "" }
        let seconds = max(0, now - time)
        if seconds < 60 { return say("now") }
        if seconds < 3_600 { return say("\(Int(seconds / 60)) min ago") }
        if seconds < 86_400 { return say("\(Int(seconds / 3_600)) h ago") }
        return say("\(Int(seconds / 86_400)) d ago")
    }
}

extension String {
    /// Without spaces at either end.
    var trimmingSpaces: String {
        var text = Substring(self)
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
