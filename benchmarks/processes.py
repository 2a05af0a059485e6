PROCESS_WORKS = ()


def process_lines(*a):
    return []
