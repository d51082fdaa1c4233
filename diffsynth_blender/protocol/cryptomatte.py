"""The object ids of the cryptomatte pass, computed from names. Knows nothing of Blender."""

MASK = 0xFFFFFFFF


def object_id(name: str) -> int:
    """Bits of the id that the passes hold for an object of this name, an unsigned integer of 32 bits.

    Cryptomatte specification 1.2.0: the MurmurHash3 of the name, with the exponents taken out that would make it a
    denormal, infinite or no number.
    """
    bits = murmur3(name.encode())
    exponent = min(max(bits >> 23 & 0xFF, 1), 254)
    return bits & 0x807FFFFF | exponent << 23


def murmur3(data: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0 (Austin Appleby, public domain)."""
    hash_ = 0
    for start in range(0, len(data), 4):
        block = data[start : start + 4]
        part = int.from_bytes(block, "little") * 0xCC9E2D51 & MASK
        hash_ ^= (part << 15 | part >> 17) * 0x1B873593 & MASK
        if len(block) == 4:
            hash_ = (hash_ << 13 | hash_ >> 19) & MASK
            hash_ = hash_ * 5 + 0xE6546B64 & MASK
    hash_ ^= len(data)
    hash_ = (hash_ ^ hash_ >> 16) * 0x85EBCA6B & MASK
    hash_ = (hash_ ^ hash_ >> 13) * 0xC2B2AE35 & MASK
    return hash_ ^ hash_ >> 16
