import Configuration
import Runs

extension BoardState {
    /// The data sets that the page's form names.
    private var formDatasets: [String] {
        let configuration = forms[pageForm].configuration
        var names: [String] = []
        for argument in pageForm == .evaluate ? ["eval_dataset", "dataset"] : ["dataset", "eval_dataset"] {
            for part in configuration.text(argument).split(separator: ",") {
                let name = String(part).trimmingSpaces
                if !name.isEmpty, !names.contains(name) { names.append(name) }
            }
        }
        return names
    }

    func datasetRefusal() -> String? {
        if formDatasets.isEmpty { return say("The form names no dataset yet.") }
        return forms[pageForm].configuration.text("model_name_or_path").isEmpty ? say("The form names no model yet: its tokenizer cuts the text.") : nil
    }

    mutating func openDataset() -> [Effect] {
        let view = DatasetViewState(tab: pageForm, names: formDatasets)
        overlays.append(.dataset(view))
        return [request(view)]
    }

    private func request(_ view: DatasetViewState) -> Effect {
        .previewDataset(forms[view.tab].configuration, dataset: view.name, row: view.row)
    }

    private mutating func changeDatasetView(_ change: (inout DatasetViewState) -> Bool) -> [Effect] {
        guard case .dataset(var view) = overlays.last else { return [] }
        let needsRow = change(&view)
        if needsRow { view.isLoading = true }
        overlays[overlays.count - 1] = .dataset(view)
        return needsRow ? [request(view)] : []
    }

    mutating func moveDatasetRow(by count: Int) -> [Effect] {
        changeDatasetView { view in
            let last = max(0, (view.preview?.rowCount ?? 1) - 1)
            let row = min(max(0, view.row + count), last)
            guard row != view.row else { return false }
            view.row = row
            view.scroll = 0
            return true
        }
    }

    mutating func nextDataset() -> [Effect] {
        changeDatasetView { view in
            guard view.names.count > 1 else { return false }
            view.index = (view.index + 1) % view.names.count
            view.row = 0
            view.scroll = 0
            view.preview = nil
            return true
        }
    }

    mutating func turnDatasetPage(by count: Int) -> [Effect] {
        changeDatasetView { view in
            let pages = DatasetViewState.Page.allCases
            view.page = pages[(view.page.rawValue + count + pages.count) % pages.count]
            view.scroll = 0
            return false
        }
    }

    mutating func scrollDataset(_ movement: Movement, page: Int) {
        _ = changeDatasetView { view in
            view.scroll = movement.applied(to: view.scroll, count: 10_000, page: page)
            return false
        }
    }

    mutating func show(_ preview: DatasetPreview) -> [Effect] {
        for (index, overlay) in overlays.enumerated() {
            guard case .dataset(var view) = overlay, view.name == preview.dataset, view.row == preview.row else { continue }
            view.preview = preview
            view.problem = nil
            view.isLoading = false
            overlays[index] = .dataset(view)
        }
        return []
    }

    mutating func failDataset(_ name: String, _ reason: String) -> [Effect] {
        for (index, overlay) in overlays.enumerated() {
            guard case .dataset(var view) = overlay, view.name == name else { continue }
            view.problem = say(engine: reason)
            view.isLoading = false
            overlays[index] = .dataset(view)
        }
        return []
    }
}
