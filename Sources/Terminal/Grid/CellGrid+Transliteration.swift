/// Frames for terminals that show only ASCII.
extension CellGrid {
    /// The same frame with plain stand-ins: lines become `-|+`, bars `#`, braille dots `.:'`, wide characters `??`.
    public func transliterated() -> CellGrid {
        var copy = self
        copy.replaceGlyphs { cell in
            cell.firstMark = 0
            cell.secondMark = 0
            if cell.width != 1 {  // either half of a wide character
                cell.base = 0x3F
                cell.width = 1
            } else if cell.base > 0x7E {
                cell.base = CellGrid.standIn(cell.base)
            }
        }
        return copy
    }

    private static func standIn(_ code: UInt32) -> UInt32 {
        switch code {
        case 0x2500, 0x2501, 0x2504, 0x2508, 0x2013, 0x2014, 0x2212: 0x2D  // -
        case 0x2502, 0x2503, 0x258F, 0x2595: 0x7C  // |
        case 0x250C...0x254B: 0x2B  // +
        case 0x2588...0x258B, 0x2585...0x2587: 0x23  // #
        case 0x2584, 0x258C: 0x3D  // =
        case 0x2581...0x2583: 0x2D
        case 0x258D, 0x258E: 0x20
        case 0x2591: 0x2E  // .
        case 0x2800: 0x20
        case 0x2801...0x28FF: braille(code - 0x2800)
        case 0x25B6, 0x25B8, 0x203A, 0x2192: 0x3E  // >
        case 0x25C0, 0x25C2, 0x2039, 0x2190: 0x3C  // <
        case 0x25BE, 0x25BC, 0x2193: 0x76  // v
        case 0x25B2, 0x2191: 0x5E  // ^
        case 0x25CF, 0x2022: 0x2A  // *
        case 0x25CB, 0x00B0: 0x6F  // o
        case 0x2713, 0x2714: 0x79  // y
        case 0x2717, 0x2718, 0x00D7: 0x78  // x
        case 0x2026: 0x7E  // ~
        case 0x00B7: 0x2E
        case 0x2018, 0x2019: 0x27
        case 0x201C, 0x201D: 0x22
        default: 0x3F  // ?
        }
    }

    /// By the rows that have dots: above, below or both.
    private static func braille(_ dots: UInt32) -> UInt32 {
        let above = dots & 0b0001_1011 != 0
        let below = dots & 0b1110_0100 != 0
        return above && below ? 0x3A : above ? 0x27 : 0x2E
    }
}
