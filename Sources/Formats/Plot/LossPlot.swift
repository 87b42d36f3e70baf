/// The loss curve that a run leaves behind, as SVG and as PNG: the logged values faint, their smoothed course strong.

import Glibc
import Platform

/// Exponential smoothing as LLaMA-Factory draws it: the more points, the smoother, with weight 1.8 (sigmoid(0.05 n) - 0.5).
public enum Smoothing {
    public static func weight(count: Int) -> Double { 1.8 * (1 / (1 + exp(-0.05 * Double(count))) - 0.5) }

    /// - Parameter weight: of the past against the present value; by the number of values when nil.
    public static func smoothed(_ values: [Double], weight: Double? = nil) -> [Double] {
        guard var last = values.first(where: \.isFinite) else { return values }
        let weight = weight ?? self.weight(count: values.count)
        return values.map { value in
            // A gap stays a gap and is not smeared over what follows.
            guard value.isFinite else { return value }
            last = last * weight + (1 - weight) * value
            return last
        }
    }
}

public struct LossPlot: Sendable {
    /// Points of one curve, by step. Values that are not finite leave gaps.
    public struct Series: Sendable {
        public var name: String
        public var steps: [Double]
        public var values: [Double]
        /// Draws the smoothed course too, and the values themselves faintly.
        public var isSmoothed: Bool

        public init(name: String, steps: [Double], values: [Double], isSmoothed: Bool = true) {
            self.name = name
            self.steps = steps
            self.values = values
            self.isSmoothed = isSmoothed
        }
    }

    public var title: String
    public var horizontalLabel: String
    public var series: [Series]
    /// Pixels.
    public var width = 800
    public var height = 500

    public init(title: String, horizontalLabel: String = "step", series: [Series]) {
        self.title = title
        self.horizontalLabel = horizontalLabel
        self.series = series
    }

    // MARK: Geometry

    private struct Curve {
        var name: String
        var ink: Canvas.Ink
        var opacity: Double
        /// Unbroken runs of pixels.
        var pieces: [[(x: Double, y: Double)]]
    }

    private static let inks: [Canvas.Ink] = [
        Canvas.Ink(red: 0x1F, green: 0x77, blue: 0xB4), Canvas.Ink(red: 0xD6, green: 0x5F, blue: 0x0E),
        Canvas.Ink(red: 0x2C, green: 0x8A, blue: 0x2C), Canvas.Ink(red: 0x8E, green: 0x5B, blue: 0xB5),
    ]
    private static let margin = (left: 92, right: 24, top: 44, bottom: 62)

    private func layOut() -> (curves: [Curve], horizontal: PlotAxis, vertical: PlotAxis) {
        let points = series.map { series in zip(series.steps, series.values).filter { $0.0.isFinite && $0.1.isFinite } }
        let steps = points.flatMap { $0.map(\.0) }
        let values = points.flatMap { $0.map(\.1) }
        let area = Self.margin
        let horizontal = PlotAxis(
            low: steps.min() ?? 0, high: steps.max() ?? 1, from: Double(area.left), to: Double(width - area.right), tickCount: 8)
        let vertical = PlotAxis(
            low: values.min() ?? 0, high: values.max() ?? 1, from: Double(height - area.bottom), to: Double(area.top), tickCount: 6)
        var curves: [Curve] = []
        for (index, series) in series.enumerated() {
            let ink = Self.inks[index % Self.inks.count]
            func pieces(_ values: [Double]) -> [[(x: Double, y: Double)]] {
                zip(series.steps, values).split { !$0.0.isFinite || !$0.1.isFinite }.map { run in
                    thinned(run.map { (horizontal.position($0.0), vertical.position($0.1)) })
                }
            }
            let isSmoothed = series.isSmoothed && series.values.count > 1
            curves.append(Curve(name: series.name, ink: ink, opacity: isSmoothed ? 0.35 : 1, pieces: pieces(series.values)))
            if isSmoothed {
                let smooth = Smoothing.smoothed(series.values)
                curves.append(Curve(name: series.name + " (smoothed)", ink: ink, opacity: 1, pieces: pieces(smooth)))
            }
        }
        return (curves, horizontal, vertical)
    }

    /// At most a lowest and a highest point for each column of pixels: a spike never disappears, and a million steps stay small.
    private func thinned(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        guard points.count > 4 * width else { return points }
        var result: [(x: Double, y: Double)] = []
        var start = 0
        while start < points.count {
            var end = start
            while end < points.count, Int(points[end].x) == Int(points[start].x) { end += 1 }
            let column = points[start..<end]
            let low = column.indices.min { points[$0].y < points[$1].y } ?? start
            let high = column.indices.max { points[$0].y < points[$1].y } ?? start
            result += [points[min(low, high)], points[max(low, high)]]
            start = end
        }
        return result
    }

    // MARK: PNG

    public func png() -> [UInt8] {
        let (curves, horizontal, vertical) = layOut()
        let area = Self.margin
        var canvas = Canvas(width: width, height: height)
        for tick in vertical.ticks {
            let y = Int(vertical.position(tick.value))
            canvas.fill(x: area.left, y: y, width: width - area.left - area.right, height: 1, .grey)
            canvas.text(tick.text, x: area.left - 8 - Canvas.textWidth(tick.text), y: y - 6)
        }
        for tick in horizontal.ticks {
            let x = Int(horizontal.position(tick.value))
            canvas.fill(x: x, y: area.top, width: 1, height: height - area.top - area.bottom, .grey)
            canvas.text(tick.text, x: x - Canvas.textWidth(tick.text) / 2, y: height - area.bottom + 8)
        }
        canvas.fill(x: area.left, y: height - area.bottom, width: width - area.left - area.right, height: 1, .black)
        canvas.fill(x: area.left, y: area.top, width: 1, height: height - area.top - area.bottom, .black)
        for curve in curves {
            for piece in curve.pieces { canvas.line(piece, thickness: 2, curve.ink, opacity: curve.opacity) }
        }
        canvas.text(title, x: max(4, (width - Canvas.textWidth(title)) / 2), y: 14)
        canvas.text(horizontalLabel, x: (width - Canvas.textWidth(horizontalLabel)) / 2, y: height - 24)
        for (index, curve) in curves.enumerated() {
            let y = area.top + 10 + index * 22
            let x = width - area.right - 10 - Canvas.textWidth(curve.name)
            canvas.text(curve.name, x: x, y: y)
            canvas.line([(Double(x - 38), Double(y) + 7), (Double(x - 10), Double(y) + 7)], thickness: 3, curve.ink, opacity: curve.opacity)
        }
        return canvas.png()
    }

    // MARK: SVG

    public func svg() -> String {
        let (curves, horizontal, vertical) = layOut()
        let area = Self.margin
        let (right, bottom) = (width - area.right, height - area.bottom)
        var lines = [
            ##"<svg xmlns="http://www.w3.org/2000/svg" width="\##(width)" height="\##(height)" viewBox="0 0 \##(width) \##(height)" font-family="sans-serif" font-size="13" fill="#262626">"##,
            ##"<rect width="\##(width)" height="\##(height)" fill="#ffffff"/>"##,
        ]
        for tick in vertical.ticks {
            let y = short(vertical.position(tick.value))
            lines.append(##"<path d="M\##(area.left) \##(y)H\##(right)" stroke="#dddddd"/>"##)
            lines.append(##"<text x="\##(area.left - 8)" y="\##(y)" dy="4" text-anchor="end">\##(tick.text)</text>"##)
        }
        for tick in horizontal.ticks {
            let x = short(horizontal.position(tick.value))
            lines.append(##"<path d="M\##(x) \##(area.top)V\##(bottom)" stroke="#dddddd"/>"##)
            lines.append(##"<text x="\##(x)" y="\##(bottom + 20)" text-anchor="middle">\##(tick.text)</text>"##)
        }
        lines.append(##"<path d="M\##(area.left) \##(area.top)V\##(bottom)H\##(right)" stroke="#262626" fill="none"/>"##)
        for curve in curves {
            for piece in curve.pieces {
                let path = piece.map { "\(short($0.x)) \(short($0.y))" }.joined(separator: "L")
                lines.append(
                    ##"<path d="M\##(path)" fill="none" stroke="\##(hexadecimal(curve.ink))" stroke-opacity="\##(short(curve.opacity))" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>"##
                )
            }
        }
        lines.append(##"<text x="\##(width / 2)" y="26" text-anchor="middle" font-size="16">\##(escaped(title))</text>"##)
        lines.append(##"<text x="\##(width / 2)" y="\##(height - 16)" text-anchor="middle">\##(escaped(horizontalLabel))</text>"##)
        for (index, curve) in curves.enumerated() {
            let y = area.top + 18 + index * 20
            lines.append(
                ##"<path d="M\##(right - 38) \##(y - 4)H\##(right - 10)" stroke="\##(hexadecimal(curve.ink))" stroke-opacity="\##(short(curve.opacity))" stroke-width="3"/>"##
            )
            lines.append(##"<text x="\##(right - 46)" y="\##(y)" text-anchor="end">\##(escaped(curve.name))</text>"##)
        }
        lines.append("</svg>\n")
        return lines.joined(separator: "\n")
    }

    private func short(_ value: Double) -> String {
        let text = NumberText.fixed(value, digits: 2)
        return text.hasSuffix(".00") ? String(text.dropLast(3)) : text
    }

    private func hexadecimal(_ ink: Canvas.Ink) -> String {
        "#" + [ink.red, ink.green, ink.blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case _ where scalar.value < 32: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
